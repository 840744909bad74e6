"""The command line: Lightning's commands and our own, their configuration files and run folders."""
