"""Shows results: tables, plots, reports, and the callbacks that print, draw and log them."""
