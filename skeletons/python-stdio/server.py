"""An MCP server on standard input and output. Standard output belongs to the protocol: print to standard error."""

from mcp.server.mcpserver import MCPServer

mcp = MCPServer("greeter", version="0.1.0", log_level="WARNING")


# The types of the arguments become the schema of the tool, the first string below what the model is told.
@mcp.tool(structured_output=False)
async def greet(name: str) -> str:
    """Greets someone by name."""
    return f"Hello, {name}!"


if __name__ == "__main__":
    mcp.run("stdio")
