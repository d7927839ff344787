"""
Rules: from YAML files to checked values.

``yamlfile.py``  a file whose errors know their line
``fields.py``    what groups and rules may have, as written; ``wording.py`` checks labels and annotations
``rule.py``      `Group` and `Rule`, as evaluated
``load.py``      files -> groups; each kind of rule reads its own expression (``alerting/kinds``)
``pack.py``      `default.yaml`, the rules of the first day
``book.py``      the groups in force: read at the start, and again when a file changes, which ``watch.py`` notices
"""

from collector.alerting.rules.book import RuleBook
from collector.alerting.rules.load import load_groups, load_rules
from collector.alerting.rules.pack import default_groups
from collector.alerting.rules.rule import Group, Rule

__all__ = ["Group", "Rule", "RuleBook", "default_groups", "load_groups", "load_rules"]
