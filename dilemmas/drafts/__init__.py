"""Drafts of dilemmas: the form of a reply, the model that writes, and the file they are kept in."""
