"""
Rules: from YAML files to checked values.

``yamlfile.py``  a file whose errors know their line
``fields.py``    what groups and rules may have, as written
``rule.py``      `Group` and `Rule`, as evaluated
``load.py``      files -> groups; each kind of rule reads its own expression (``alerting/kinds``)
``book.py``      the groups in force: read at the start, and again when a file changes
"""

from collector.alerting.rules.book import RuleBook
from collector.alerting.rules.load import load_groups, load_rules
from collector.alerting.rules.rule import Group, Rule

__all__ = ["Group", "Rule", "RuleBook", "load_groups", "load_rules"]
