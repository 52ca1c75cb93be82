"""The program as it is put together."""

from beanie import Document

from social import app
from social.media.making import ToMake
from social.people.workspaces import OfWorkspace


def everything_below(kind: type[Document]) -> set[type[Document]]:
    """All kinds of document there are."""
    return {kind} | {each for below in kind.__subclasses__() for each in everything_below(below)}


def test_every_document_has_its_collection() -> None:
    ours = {kind for kind in everything_below(Document) if kind.__module__.startswith("social.")}

    assert ours - {OfWorkspace, ToMake} == set(app.DOCUMENTS)


def test_no_two_documents_share_a_collection() -> None:
    names = [kind.Settings.name for kind in app.DOCUMENTS]

    assert len(set(names)) == len(names)
