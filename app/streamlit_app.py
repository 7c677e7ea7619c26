"""Entry of the pages: the frame finds out who looks and runs the page the URL names."""

from app.views._parts import frame

frame.run()
