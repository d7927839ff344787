"""
Evaluation of the rules that ask: groups at their times, label sets through the state machine.

``labelling.py``  samples -> `Finding`: the labels an alert will have, and its fingerprint
``states.py``     (rule, living alerts, findings, what is over, time) -> `Step`; pure
``progress.py``   when each group was evaluated last, in state/
``questions.py``  `Questions`: the rules of due groups, several at once, expressions together
``groups.py``     `GroupEvaluator`: due groups at their times, committed together

Breakers' own rules (``breaker: open for …``) go through ``alerting/evaluate.py`` at each tick.
"""
