"""Pages of a site in the frame of the viewer: opened, read, filled. See starter_checks.py."""


def visit(page, url):
    """Opens a page of a site and goes into the frame that the viewer shows it in."""
    page.driver.switch_to.default_content()
    page.driver.get(url)
    enter(page)


def enter(page):
    page.driver.switch_to.default_content()
    frame = page.wait(lambda: page.driver.find_elements("css selector", "#frame-place iframe"), "the site's frame")[0]
    page.driver.switch_to.frame(frame)
    page.wait(lambda: page.run("return location.href !== 'about:blank' && document.readyState === 'complete'"), "the site")


def live(page):
    page.wait(lambda: page.run("return document.getElementById('live')?.dataset.state") == "live" or
              page.run("return document.getElementById('live')?.textContent.includes('post')"), "live")


def texts(page, selector):
    return page.run("return [...document.querySelectorAll(arguments[0])].map((element) => element.innerText)", selector)


def fill(page, selector, text):
    field = page.one(selector)
    field.clear()
    field.send_keys(text)
