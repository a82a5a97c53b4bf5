"""The script that Streamlit runs for each viewer. It decides nothing: see `board.page`."""

from board.page import show
from board.service import current

show(current())
