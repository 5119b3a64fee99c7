"""Where images come from: folders, archives, tables, columns, the Hub, the web, and sets that are drawn here."""
