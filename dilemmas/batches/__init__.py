"""Trials as batch files: written for a service that answers them by itself, and its results taken in.

The form is that of OpenAI's Batch API, which `vllm run-batch` and others read and write too. A request's
`custom_id` is the trial's id, so that answers from files and from servers meet in one store.
"""
