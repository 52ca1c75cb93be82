"""What the simulated Mastodon refuses, in its own words and, where switched on, in German or Japanese.

Sheet: Rate limits and errors. The envelope is `{"error": text}`, on OAuth with `error_description`.
"""

from string import Template

import msgspec

from social.sandbox.platform import Answer


class Refused(Exception):
    """A reply with an error. `error` is the text, or OAuth's code with `description` beside it."""

    def __init__(
        self,
        status: int,
        error: str,
        *,
        description: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        **facts: object,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.description = description
        self.headers = headers
        self.facts = facts

    def answer(self, language: str | None = None) -> Answer:
        body = {"error": worded(self.error, language, self.facts)}
        if self.description is not None:
            body["error_description"] = self.description
        return Answer(self.status, msgspec.json.encode(body), headers=self.headers)


def worded(text: str, language: str | None, facts: dict[str, object]) -> str:
    """`$`-names in `text` are filled from `facts`; a text without a translation stays English."""
    return Template(_TRANSLATED.get(language or "en", {}).get(text, text)).safe_substitute(facts)


INVALID_TOKEN = "The access token is invalid"  # noqa: S105 words, no secret
REVOKED_TOKEN = "The access token was revoked"  # noqa: S105
OUTSIDE_SCOPES = "This action is outside the authorized scopes"
NEEDS_USER = "This method requires an authenticated user"
NOT_FOUND = "Record not found"
NO_ROUTE = "Not Found"
REPLY_GONE = "The post you are trying to reply to does not appear to exist."  # the wording is unconfirmed
TOO_MANY_REQUESTS = "Too many requests"
BUSY = "There was a temporary problem serving your request, please try again"
TOO_LONG = "Validation failed: Text character limit of $max exceeded"
BLANK = "Validation failed: Text can't be blank"
TOO_MANY_MEDIA = "Cannot attach more than $max files"
MIXED_MEDIA = "Cannot attach a video to a post that already contains images"
NOT_PROCESSED = "Cannot attach files that have not finished processing. Try again in a moment!"
MEDIA_NOT_FOUND = "Media $ids not found or already attached to another post"
BAD_FILE = "File type of uploaded media could not be verified"
NOT_PROCESSABLE = "Error processing thumbnail for uploaded media"
TOO_BIG = "Validation failed: File file size must be less than $max"
TOO_MANY_PIXELS = "${width}x${height} images are not supported"
ALT_TOO_LONG = "Validation failed: Description is too long (maximum is $max characters)"
MEDIA_IN_USE = "Media attachment is currently used by a status"
SCHEDULED_TOO_SOON = "Validation failed: Scheduled at The scheduled date must be in the future"
SCHEDULED_TOO_MANY = "Validation failed: You have exceeded the limit of $max scheduled posts"
SCHEDULED_TOO_MANY_A_DAY = "Validation failed: You have exceeded the limit of $max scheduled posts for today"
POLL_TOO_FEW = "Validation failed: Options must have more than one item"
POLL_TOO_MANY = "Validation failed: Options can't contain more than $max items"
POLL_OPTION_TOO_LONG = "Validation failed: Options cannot be longer than $max characters each"
POLL_OPTION_TWICE = "Validation failed: Options contain duplicate items"
POLL_TOO_SHORT = "Validation failed: Expires at is too soon"
POLL_TOO_LONG = "Validation failed: Expires at is too far into the future"

_TRANSLATED: dict[str, dict[str, str]] = {
    "de": {
        INVALID_TOKEN: "Das Zugriffstoken ist ungültig",
        REVOKED_TOKEN: "Das Zugriffstoken wurde widerrufen",
        OUTSIDE_SCOPES: "Diese Aktion ist außerhalb der autorisierten Befugnisse",
        NEEDS_USER: "Diese Methode erfordert ein angemeldetes Konto",
        NOT_FOUND: "Eintrag nicht gefunden",
        REPLY_GONE: "Der Beitrag, auf den du antworten möchtest, scheint nicht zu existieren.",
        TOO_MANY_REQUESTS: "Zu viele Anfragen",
        BUSY: "Es gab ein vorübergehendes Problem bei deiner Anfrage, bitte versuche es erneut",
        TOO_LONG: "Gültigkeitsprüfung ist fehlgeschlagen: Text Zeichenlimit von $max überschritten",
        BLANK: "Gültigkeitsprüfung ist fehlgeschlagen: Text muss ausgefüllt werden",
        TOO_MANY_MEDIA: "Es können nicht mehr als $max Dateien angehängt werden",
        MIXED_MEDIA: "Es kann kein Video an einen Beitrag angehängt werden, der bereits Bilder enthält",
        NOT_PROCESSED: "Noch nicht verarbeitete Dateien können nicht angehängt werden. Versuche es gleich noch einmal!",
        MEDIA_NOT_FOUND: "Medien $ids nicht gefunden oder bereits an einen anderen Beitrag angehängt",
        BAD_FILE: "Der Dateityp der hochgeladenen Medien konnte nicht bestätigt werden",
        ALT_TOO_LONG: "Gültigkeitsprüfung ist fehlgeschlagen: Beschreibung ist zu lang (mehr als $max Zeichen)",
        SCHEDULED_TOO_SOON: "Gültigkeitsprüfung ist fehlgeschlagen: Der Zeitpunkt muss in der Zukunft liegen",
    },
    "ja": {
        INVALID_TOKEN: "アクセストークンは無効です",
        REVOKED_TOKEN: "アクセストークンは取り消されました",
        OUTSIDE_SCOPES: "このアクションは許可されたスコープ外です",
        NEEDS_USER: "このメソッドにはログインしたユーザーが必要です",
        NOT_FOUND: "レコードが見つかりません",
        REPLY_GONE: "返信先の投稿は存在しないようです。",
        TOO_MANY_REQUESTS: "リクエストが多すぎます",
        BUSY: "一時的な問題が発生しました。もう一度お試しください",
        TOO_LONG: "バリデーションに失敗しました: 本文は上限の${max}文字を超えています",
        BLANK: "バリデーションに失敗しました: 本文を入力してください",
        TOO_MANY_MEDIA: "${max}個を超えるファイルを添付することはできません",
        MIXED_MEDIA: "既に画像が追加されているため、動画を追加することはできません",
        NOT_PROCESSED: "処理が完了していないファイルを添付することはできません。後でもう一度お試しください！",
        MEDIA_NOT_FOUND: "メディア $ids が見つからないか、既に別の投稿に添付されています",
        BAD_FILE: "アップロードされたメディアのファイル形式を確認できませんでした",
        ALT_TOO_LONG: "バリデーションに失敗しました: 説明は${max}文字以内で入力してください",
        SCHEDULED_TOO_SOON: "バリデーションに失敗しました: 予約日時は未来でなければなりません",
    },
}
