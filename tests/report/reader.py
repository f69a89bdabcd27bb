"""A page as its elements and its text, for the tests of the pages."""

import html.parser

VOID = {"meta", "img", "path", "image", "use", "rect"}


class Reader(html.parser.HTMLParser):
    """Checks that elements close in order; collects attributes and text."""

    def __init__(self):
        super().__init__()
        self.stack, self.seen, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_data(self, data):
        if not self.stack or self.stack[-1] != "style":
            self.text += data

    def all(self, tag):
        return [attributes for seen, attributes in self.seen if seen == tag]
