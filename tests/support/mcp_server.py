#!/usr/bin/env python3
"""An MCP server by the official SDK, whichever of its two generations is installed.

    mcp_server.py [PORT]     on loopback; 0: a free port. Prints `listening PORT`.

Tools: lookup (reads only, says how often it ran), add (numbers), fails, slow (says that it goes on).
"""
import asyncio
import socket
import sys

import uvicorn

try:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context
except ImportError:  # the generation before
    from mcp.server.fastmcp import FastMCP as MCPServer
    from mcp.server.fastmcp import Context
from mcp.types import ToolAnnotations

server = MCPServer("docs")
runs = {}


@server.tool(annotations=ToolAnnotations(readOnlyHint=True, idempotentHint=True))
def lookup(key: str, section: str | None = None) -> dict[str, str | int | None]:
    """What stands under a key, and how often it has been looked for."""
    runs[key] = runs.get(key, 0) + 1
    return {"key": key, "section": section, "runs": runs[key]}


@server.tool()
def add(a: int, b: float = 0.5) -> float:
    """The sum of two numbers."""
    return a + b


@server.tool()
def fails(reason: str) -> str:
    """Never works."""
    raise ValueError(reason)


@server.tool()
async def slow(seconds: float, context: Context) -> str:
    """Takes its time, and says in between that it goes on."""
    steps = 10
    for step in range(steps):
        await context.report_progress(step, steps)
        await asyncio.sleep(seconds / steps)
    return "done"


def main():
    """Serve until stopped."""
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    app = server.streamable_http_app()
    print("listening %d" % listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
