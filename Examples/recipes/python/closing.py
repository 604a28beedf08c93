"""An ASGI application around another one: once `begin` was called, each response asks its client to close the connection."""


class Closing:
    def __init__(self, app):
        self.app = app
        self.is_draining = False

    def begin(self):
        self.is_draining = True

    async def __call__(self, scope, receive, send):
        async def send_closing(message):
            if self.is_draining and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
            await send(message)

        # `connection` is a header of HTTP/1 only.
        http1 = scope["type"] == "http" and scope["http_version"].startswith("1")
        await self.app(scope, receive, send_closing if http1 else send)
