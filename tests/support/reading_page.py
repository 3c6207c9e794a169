"""What a user does on the page that reads images: the server's, or an exported one."""

import base64
import shutil

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
PASTE = """async data => {
    const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
    const item = new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})});
    await navigator.clipboard.write([item]);
}"""


def drop(page, *files):
    """Files dropped as from a file manager."""
    box = page.locator("#drop").bounding_box()
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": list(files), "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def paste(page, png):
    """An image that was copied elsewhere, pasted with Ctrl+V. png: its bytes."""
    page.evaluate(PASTE, base64.b64encode(png).decode())
    page.locator("body").click()
    page.keyboard.press("Control+v")


def wait_for_status(page, text):
    page.locator("#status", has_text=text).wait_for(timeout=20_000)


def texts(page):
    return ["".join(row.locator(".text span").all_text_contents()) for row in rows(page)]


def rows(page):
    return page.locator("#rows tr").all()
