"""Uploads: the files in a multipart form."""

from contextlib import aclosing

from fastapi import HTTPException, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from aocr.options import ServeOptions
from ocr_simple.messages import escape_controls, shortened

MAX_FIELDS = 16  # of a form, besides its files


async def uploaded_files(request: Request, options: ServeOptions) -> tuple[list[bytes], list[str]]:
    """(files, their names) in the form that a request carries. Raises HTTPException."""
    _, parameters = parse_options_header(request.headers["content-type"])
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise HTTPException(400, f"charset {shortened(charset)}: a form has to be in UTF-8")
    async with aclosing(request.stream()) as stream:
        parser = MultiPartParser(
            request.headers, stream, max_files=options.max_images, max_fields=MAX_FIELDS
        )
        parser.spool_max_size = options.max_body + 1  # in memory: open files may be few
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise HTTPException(400, shortened(error.message)) from None
    try:
        files = [file for _, file in form.multi_items() if isinstance(file, UploadFile)]
        names = [_name(file.filename, i) for i, file in enumerate(files)]
        return [await file.read() for file in files], names
    finally:
        await form.close()


def _name(given: str | None, index: int) -> str:
    """The name of a file for answers. Raises HTTPException."""
    if given and any("\ud800" <= character <= "\udfff" for character in given):
        raise HTTPException(400, f"image {index}: its file name is not Unicode; rename it")
    return shortened(escape_controls(given or f"image {index}"))
