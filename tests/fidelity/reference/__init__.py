"""An MCP server of both eras and both transports whose offering holds everything that gateways are known to lose."""
