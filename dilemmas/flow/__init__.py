"""How many requests are in flight at which server, and when a server is left alone. No HTTP is in here."""
