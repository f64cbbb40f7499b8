"""Does a language model act on the values it states, and does a cultural persona change that?"""

__version__ = "0.1.0"
