"""The application: command line, settings, and `andon up`, which starts the services and every process.

reads the command line, ANDON_ variables and the plant folder; writes <home> (services, logs, process records).
"""
