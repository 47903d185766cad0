# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx: how the site looks, and where its links lead. docs/docsite/build.py runs it; nothing is read from the network."""

import re

from docutils import nodes

project = "prlsdk.core"
author = "The prlsdk.core developers"
copyright = author
html_title = "prlsdk.core"
html_short_title = html_title

extensions = ["sphinx_antsibull_ext", "myst_parser"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
# The anchors of headings are those that a forge makes, so links to them work in both places.
myst_heading_anchors = 3
default_role = "any"
highlight_language = "YAML+Jinja"
pygments_style = "ansible"

html_theme = "sphinx_ansible_theme"
html_theme_options = {"vcs_pageview_mode": "edit"}
html_show_sphinx = False
html_use_index = False
html_copy_source = False
html_last_updated_fmt = None

#: A file of the repository on the forge. Where the site has a page of it, that page is meant.
FORGE = re.compile(r"https://github\.com/prlsdk/core/blob/main/(?P<page>[^#]+)\.md(?P<anchor>#.*)?$")
#: How the documentation of modules names a guide.
GUIDE = re.compile(r"(?P<page>docs/[a-z-]+)\.md$")

ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
#: Labels of Ansible's own documentation that antsibull-docs refers to.
LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
BUILTIN = re.compile(r"ansible_collections\.ansible\.builtin\.([a-z_]+_[a-z]+)$")


def link_to_ansible(app, env, node, contnode):
    """A reference that this site cannot resolve, to the page of Ansible's documentation where that is known."""
    target = node["reftarget"]
    builtin = BUILTIN.match(target)
    if target in LABELS:
        page = LABELS[target]
    elif builtin:
        page = "collections/ansible/builtin/%s.html" % builtin.group(1)
    else:
        return None
    return nodes.reference("", "", contnode, internal=False, refuri=ANSIBLE + page)


def link_to_pages(app, doctree, docname):
    """Let links to files on the forge, and names of guides in the text of modules, lead to the pages of this site."""

    def address(found, anchor=""):
        return app.builder.get_relative_uri(docname, found.group("page")) + anchor

    for node in list(doctree.findall(nodes.reference)):
        found = FORGE.match(node.get("refuri", ""))
        if found and found.group("page") in app.env.found_docs:
            node["refuri"] = address(found, found.group("anchor") or "")
            node["internal"] = True
    for node in list(doctree.findall(nodes.literal)):
        found = GUIDE.match(node.astext())
        if found and found.group("page") in app.env.found_docs and not isinstance(node.parent, nodes.reference):
            node.replace_self(nodes.reference("", "", node.deepcopy(), internal=True, refuri=address(found)))


def home(app, pagename, templatename, context, doctree):
    """Let the theme's link to the first page lead to this site's."""
    context["theme_documentation_home_url"] = context["pathto"]("index")


def setup(app):
    app.connect("missing-reference", link_to_ansible)
    app.connect("doctree-resolved", link_to_pages)
    app.connect("html-page-context", home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
