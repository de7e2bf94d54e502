"""Bot API methods that put messages into chats and change or remove them."""

from typing import Any

from lab.telegram.checks import (
    CAPTION_LIMIT,
    PHOTO_LIMIT,
    UPLOAD_LIMIT,
    ApiError,
    bad_request,
    check_entities,
    check_markup,
    check_text,
)
from lab.telegram.params import Params, Upload
from lab.telegram.state import (
    BOT,
    Chat,
    Message,
    StoredFile,
    described,
    image_kind,
    image_size,
)
from lab.telegram.world import TelegramWorld


def send_message(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """The message that was sent."""
    chat = _chat(world, params)
    return _send(world, chat, params, "sendMessage", _text(params))


def send_photo(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """The message with the photo."""
    chat = _chat(world, params)
    fields = _caption(params)
    return _send(world, chat, params, "sendPhoto", _photo(world, _upload(params, "photo")) | fields)


def send_document(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """The message with the file."""
    chat = _chat(world, params)
    fields = _caption(params)
    return _send(world, chat, params, "sendDocument", _document(world, _upload(params, "document")) | fields)


def edit_message_text(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """The message with its new text; without a markup it loses its keyboard."""
    message = _editable(world, params)
    fields = _text(params)
    if "text" not in message.content:
        raise bad_request("there is no text in the message to edit")
    return _edit(world, message, params, fields, ("text", "entities", "link_preview_options"))


def edit_message_caption(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """The message with its new caption."""
    message = _editable(world, params)
    if "text" in message.content:
        raise bad_request("there is no caption in the message to edit")
    return _edit(world, message, params, _caption(params), ("caption", "caption_entities"))


def edit_message_media(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """The message with another photo or document."""
    message = _editable(world, params)
    media = params.object("media")
    if not isinstance(media, dict) or media.get("type") not in ("photo", "document"):
        raise bad_request("can't parse InputMedia: only photo and document are simulated")
    source = str(media.get("media", ""))
    attached = Params({**media, "media": source}, params.files)
    upload = params.files.get(source.removeprefix("attach://")) or _stored(world, source)
    content = _photo(world, upload) if media["type"] == "photo" else _document(world, upload)
    names = ("photo", "document", "caption", "caption_entities", "text", "entities")
    return _edit(world, message, params, content | _caption(attached), names)


def edit_message_reply_markup(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """The message with another keyboard, or none."""
    return _edit(world, _editable(world, params), params, {}, ())


def delete_message(world: TelegramWorld, params: Params) -> bool:
    """True; the message is gone for everybody."""
    chat = world.chat(params.integer("chat_id"))
    message = chat.message(params.integer("message_id"), "delete")
    if not message.from_bot and chat.type != "private":
        raise bad_request("message can't be deleted for everyone")
    message.deleted = True
    world.touch(message)
    return True


def thread_of(chat: Chat, params: Params) -> int | None:
    """The topic to write in, None where none is named; one that cannot be written in is refused."""
    if params.raw.get("message_thread_id") is None:
        return None
    thread = params.integer("message_thread_id")
    chat.topic(thread)
    return thread


def _chat(world: TelegramWorld, params: Params) -> Chat:
    """The chat to write to, after its flood control."""
    chat = world.chat(params.raw.get("chat_id", 0))
    if world.flood is not None:
        world.flood.count(chat.id)
    return chat


def _editable(world: TelegramWorld, params: Params) -> Message:
    chat = _chat(world, params)
    message = chat.message(params.integer("message_id"), "edit")
    if not message.from_bot:
        raise bad_request("message can't be edited")
    return message


def _send(world: TelegramWorld, chat: Chat, params: Params, method: str, content: dict[str, Any]) -> dict[str, Any]:
    thread = thread_of(chat, params)
    content |= _markup(params)
    replied = _reply(chat, params)
    if replied is not None:
        content["reply_to"] = replied
    message = world.post(
        chat, BOT, content, request=params.raw, method=method, silent=params.flag("disable_notification"), thread=thread
    )
    return message.to_dict()


def _edit(
    world: TelegramWorld, message: Message, params: Params, fields: dict[str, Any], replaced: tuple[str, ...]
) -> dict[str, Any]:
    kept = {name: v for name, v in message.content.items() if name not in (*replaced, "reply_markup")}
    content = kept | fields | _markup(params)
    if content == message.content:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    world.change(message, content, params.raw)
    return message.to_dict()


def _text(params: Params) -> dict[str, Any]:
    _refuse_parse_mode(params)
    text = params.text("text")
    check_text(text)
    content: dict[str, Any] = {"text": text}
    if entities := check_entities(text, params.object("entities")):
        content["entities"] = entities
    if preview := params.object("link_preview_options"):
        content["link_preview_options"] = preview
    return content


def _caption(params: Params) -> dict[str, Any]:
    _refuse_parse_mode(params)
    caption = params.text("caption")
    if not caption:
        return {}
    check_text(caption, limit=CAPTION_LIMIT, what="message caption")
    content: dict[str, Any] = {"caption": caption}
    if entities := check_entities(caption, params.object("caption_entities")):
        content["caption_entities"] = entities
    return content


def _refuse_parse_mode(params: Params) -> None:
    if params.text("parse_mode"):
        raise bad_request("parse_mode is not simulated; send entities")


def _markup(params: Params) -> dict[str, Any]:
    markup = check_markup(params.object("reply_markup"))
    return {} if markup is None else {"reply_markup": markup}


def _reply(chat: Chat, params: Params) -> int | None:
    reply = params.object("reply_parameters")
    if reply is None:
        return None
    if not isinstance(reply, dict) or not isinstance(reply.get("message_id"), int):
        raise bad_request("can't parse reply parameters")
    replied = chat.messages.get(reply["message_id"])
    if replied is None or replied.deleted:
        if reply.get("allow_sending_without_reply"):
            return None
        raise bad_request("message to be replied not found")
    if reply.get("quote") and reply["quote"] not in replied.text:
        raise bad_request("QUOTE_TEXT_INVALID")
    return replied.message_id


def _upload(params: Params, name: str) -> Upload:
    source = params.text(name)
    upload = params.files.get(name) or params.files.get(source.removeprefix("attach://"))
    if upload is None:
        raise bad_request(f"there is no {name} in the request")
    return upload


def _stored(world: TelegramWorld, file_id: str) -> StoredFile:
    stored = world.files.by_id.get(file_id)
    if stored is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    return stored


def _photo(world: TelegramWorld, file: Upload | StoredFile) -> dict[str, Any]:
    kind = image_kind(file.content)
    if kind is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    if len(file.content) > PHOTO_LIMIT:
        raise ApiError(413, "Request Entity Too Large")
    width, height = image_size(file.content)
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    stored = _keep(world, file, f"photo.{kind}", "photos")
    return {"photo": [{**described(stored), "width": width, "height": height}]}


def _document(world: TelegramWorld, file: Upload | StoredFile) -> dict[str, Any]:
    if not file.content:
        raise bad_request("file must be non-empty")
    if len(file.content) > UPLOAD_LIMIT:
        raise ApiError(413, "Request Entity Too Large")
    stored = _keep(world, file, file.name, "documents")
    return {"document": {**described(stored), "file_name": file.name}}


def _keep(world: TelegramWorld, file: Upload | StoredFile, name: str, folder: str) -> StoredFile:
    return file if isinstance(file, StoredFile) else world.files.add(name, file.content, folder)
