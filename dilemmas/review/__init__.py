"""Review by people in Label Studio: dilemmas go out as tasks and come back as judgements.

form        what annotators are asked, and the labeling config that asks it
tasks       dilemma -> task, annotation -> judgement, judgement -> prediction: pure functions
answers     an annotation's result -> plain answers by control, and back
connection  which server, and with which key
client      the SDK: the key, what may be sent again, failures in words
server      what the review needs of Label Studio
local       a server of one's own on this machine; installing: its virtual environment
hosting     such a server for a team: folder, account, and the key for the commands
projects    which project a title means
selection   what of a file goes out
standing    what a project holds already, compared with the dilemmas to be there
push        dilemmas -> a project
exports     an export -> judgements and problems
pull        a project -> a folder of judgements
progress    who has done what
pseudonyms  names that stand for people's
rounds      a pulled folder, read again
tables      judgements -> tables of agreement; machines: those of machines, apart; page: the tables as HTML
apply       judgements + dilemmas -> reviewed dilemmas

Only client imports Label Studio's SDK, an extra of half a gigabyte: what needs no server does without it.
"""
