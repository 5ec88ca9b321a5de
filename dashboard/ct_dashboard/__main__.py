"""Start the dashboard: ``python -m ct_dashboard --host 127.0.0.1 --port 8501``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

THEME = {
    # Streamlit's own red and grey are too pale: text in them has less contrast than WCAG 2.2 asks for (4.5 to 1).
    "theme.light.primaryColor": "#00598F",
    "theme.light.textColor": "#111111",
    "theme.dark.primaryColor": "#56B4E9",
    "theme.dark.textColor": "#FFFFFF",
}


def main() -> None:
    """Become Streamlit's server with our entry point."""
    parser = argparse.ArgumentParser(prog="python -m ct_dashboard", description="The dashboard.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8501)
    arguments = parser.parse_args()
    entry = Path(__file__).with_name("app.py")
    options = {
        "server.address": arguments.host,
        "server.port": str(arguments.port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        **THEME,
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(entry), *flags])  # noqa: S606


if __name__ == "__main__":
    main()
