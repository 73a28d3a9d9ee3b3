// The browser's own, before the viewer's script for links takes its place.
window.trueOpen = window.open;
