"""Findings as text, JSON, SARIF and JUnit."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET  # written, never read  # nosec B405

from iam.lint.finding import Finding, Severity
from iam.lint.rules import RULES

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def text(findings: Sequence[Finding]) -> str:
    """A line for each, as editors understand it, and their number."""
    if not findings:
        return "iam/: nothing to complain about"
    counts = Counter(finding.severity for finding in findings)
    told = ", ".join(
        f"{counts[severity]} {severity.value}{'s' * (counts[severity] != 1)}"
        for severity in Severity
        if counts[severity]
    )
    fixable = sum(finding.fix is not None for finding in findings)
    end = f"; `--fix` mends {fixable}" if fixable else ""
    return "\n".join([*map(str, findings), f"{told}{end}"])


def as_json(findings: Sequence[Finding]) -> str:
    return json.dumps([finding.as_json() for finding in findings], indent=2, ensure_ascii=False)


def sarif(findings: Sequence[Finding]) -> str:
    """SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/"""
    rules = [
        {
            "id": rule.code,
            "name": rule.name,
            "shortDescription": {"text": rule.summary()},
            "fullDescription": {"text": rule.documentation()},
            "defaultConfiguration": {"level": rule.severity.value},
        }
        for rule in RULES
    ]
    numbers = {rule.code: number for number, rule in enumerate(RULES)}
    results = [
        {
            "ruleId": finding.code,
            "ruleIndex": numbers[finding.code],
            "level": finding.severity.value,
            "message": {"text": finding.sentence},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": finding.spot.file, "uriBaseId": "%SRCROOT%"},
                        "region": {"startLine": finding.spot.line, "startColumn": finding.spot.column},
                    }
                }
            ],
        }
        for finding in findings
    ]
    driver = {"name": "noren", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def junit(findings: Sequence[Finding]) -> str:
    """A test case a rule: its errors are its failure, one as readers of JUnit expect it, warnings what it printed."""
    failed = {finding.code for finding in findings if finding.severity is Severity.ERROR}
    suite = ET.Element("testsuite", name="noren acl lint", tests=str(len(RULES)), failures=str(len(failed)), errors="0")
    for rule in RULES:
        case = ET.SubElement(suite, "testcase", classname="iam", name=f"{rule.code} {rule.name}")
        told = [f"{finding.spot}: {finding.sentence}" for finding in findings if finding.code == rule.code]
        if rule.code in failed:
            more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
            ET.SubElement(case, "failure", message=told[0] + more, type=rule.name).text = "\n".join(told)
        elif told:
            ET.SubElement(case, "system-out").text = "\n".join(told)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


FORMATS: dict[str, Callable[[Sequence[Finding]], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif,
    "junit": junit,
}
