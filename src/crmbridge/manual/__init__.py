"""The manual: the process rendered for people, as a site of static pages."""

from crmbridge.manual.comparing import Version
from crmbridge.manual.flow_text import dot, mermaid
from crmbridge.manual.site import POLICY, build_site
from crmbridge.manual.speech import Speech, languages_of
from crmbridge.manual.words import words_of

__all__ = ["POLICY", "Speech", "Version", "build_site", "dot", "languages_of", "mermaid", "words_of"]
