"""The storage origin: signed URLs, ranges, and nothing that names a repository (§1.6)."""

from .wire import Answer, Ask, file_answer, text_answer
from .world import World


def object_answer(world: World, ask: Ask) -> Answer:
    """A stored object; its ETag is the Xet hash, unrelated to the client's cache key."""
    if ask.authorization is not None:
        return _refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
    if not world.signature_holds(ask.raw_path, ask.raw_query):
        return _refusal(403, "AccessDenied", "Access denied")
    name = ask.raw_path.rpartition("/")[2]
    content = world.cdn_content(name)
    if content is None:
        return _refusal(404, "NoSuchKey", "The specified key does not exist.")
    headers = {
        "Content-Type": ask.value("response-content-type") or "application/octet-stream",
        "Content-Disposition": ask.value("response-content-disposition"),
        "ETag": f'"{name}"',
        "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
        "Cache-Control": "public, max-age=31536000",
    }
    return file_answer(ask, content, headers)


def _refusal(status: int, code: str, message: str) -> Answer:
    """Errors in the words of object storage."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    answer = text_answer(body, status=status)
    answer.headers = {"Content-Type": "application/xml"}
    return answer
