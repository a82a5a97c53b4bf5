"""The board in a real headless Chromium."""
