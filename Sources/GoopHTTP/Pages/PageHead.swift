/// What every page of ours begins with, from its first byte to the end of its head.
struct PageHead {
    /// The name of the program is added.
    var title: String
    /// What else stands in the head; each line with its end.
    var rest: HTMLText

    var html: HTMLText {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(title) · Goop²</title>
        \(rest)\
        </head>

        """
    }
}
