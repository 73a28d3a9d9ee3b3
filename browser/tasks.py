"""What a person does in Goop², written once: by keyboard alone and through the accessibility tree alone (task_drivers.py).

A task names controls by role and name, as a screen reader does, and says what must then be there. `{neighbour}` is how
the neighbour is called at that time.
"""
import dataclasses


@dataclasses.dataclass
class Task:
    name: str
    # Path within the viewer where the task begins; None: where the one before ended.
    start: str | None
    steps: list


def press(role, name):
    """A link, a button or a box is found and pressed."""
    return ("press", role, name)


def write(role, name, text):
    """What is in a field is replaced."""
    return ("write", role, name, text)


def see(role, name, **state):
    """Something of this role is there whose name holds the text, in this state."""
    return ("see", role, name, state)


def gone(role, name):
    return ("gone", role, name)


def hear(text):
    """A live region says it, so that a screen reader does."""
    return ("hear", text)


TASKS = [
    Task("find out who is here", "", [see("heading", "People"), see("link", "Neighbour")]),
    Task("skip what is the same on every page, with a table open that stays open", "data#guestbook", [
        see("heading", "guestbook"), press("link", "Skip to content"), see("main", "", focused=True), see("heading", "guestbook")]),
    Task("learn more about somebody", "", [
        press("button", "More about Neighbour"), see("dialog", "Neighbour"), press("button", "Close"), gone("dialog", "Neighbour")]),
    Task("give somebody a name of your own", "", [
        press("button", "More about Neighbour"), write("textbox", "Your own name for them", "Next door"),
        press("button", "Save name"), hear("The name was saved"), see("link", "Next door")]),
    Task("make somebody a favourite", None, [
        press("button", "More about Next door"), press("button", "Favourite"), see("button", "Favourite", pressed="true"),
        press("button", "Close")]),
    Task("mute somebody, and undo it", None, [
        press("button", "More about Next door"), press("button", "Mute"), see("button", "Mute", pressed="true"),
        press("button", "Mute"), see("button", "Mute", pressed="false"), press("button", "Close")]),
    Task("block somebody, and undo it", None, [
        press("button", "More about Next door"), press("button", "Block"), press("button", "Undo"), see("link", "Next door")]),
    Task("visit a site", "", [
        press("link", "Next door"), see("heading", "Next door"), see("heading", "Good to see you")]),
    Task("sign the guestbook on that site", "{site}guestbook/", [
        write("textbox", "Your message", "Signed by {driver}"), press("button", "Sign"), see("StaticText", "Signed by {driver}")]),
    Task("see what the site may do, and tell it your e-mail address", None, [
        press("button", "What this site may do"), see("dialog", "What this site may do"),
        press("checkbox", "Tell this site my e-mail address"), hear("This site learns your e-mail address"),
        press("button", "Done")]),
    Task("keep the site", None, [
        press("button", "Keep this site"), press("button", "Keep it"), hear("This site is kept"),
        see("button", "This site is kept", pressed="true")]),
    Task("forget the site, and go back to the people", None, [
        press("button", "This site is kept"), press("button", "Forget this site"), see("heading", "This site is forgotten"),
        press("link", "Back to People"), see("heading", "People")]),
    Task("change a setting", "settings", [
        write("textbox", "profile.label", "Ada by {driver}"), press("button", "Save changes"), hear("Saved.")]),
    Task("find a setting", "settings", [write("searchbox", "Find a setting", "mdns"), see("textbox", "p2p.mdns_tag"), gone("textbox", "profile.label")]),
    Task("read the log of the network, filtered, and pause it", "network", [
        write("searchbox", "Words", "connected with"), see("StaticText", "connected with"), press("button", "Pause"),
        see("button", "Pause", pressed="true")]),
    Task("read the help", "", [press("link", "Help"), see("heading", "Help")]),
]
