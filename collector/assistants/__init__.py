"""
``fuseboard mcp``: the read API as tools for assistants, over the Model Context Protocol on standard input and output.

``command.py``  the command and its options
``tools.py``    the tools: each is one question of the HTTP API, read-only, bounded
``answers.py``  rows as a text of bounded length: what is left out is said
``server.py``   the protocol, by the SDK of the extra ``mcp``

A client of the HTTP API like the terminal, whose `Remote` it uses: whoever starts it decides by URL and key what an assistant may see. In: tool calls. Out:
JSON texts. What services logged is written by strangers: assistants are told that it is data, and control characters are escaped.
"""
