"""Other evaluation harnesses: they ask the prompts of a study, and their logs are read as answers.

samples            the form of a prompt as other harnesses take it, and of what came back
inspect, lm_eval   one file for each harness: what it needs beside the prompts, and what stands in its log
writing            a study -> a folder that a harness runs without this package
logs               what a harness wrote -> the answers

The task files themselves are in `templates/harness/`: they are run by others, and import nothing of ours.
"""
