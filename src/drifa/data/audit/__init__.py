"""Leakage and quality audit of a study: `audit` finds, `join_groups` mends, `near_duplicates` can be used alone."""

from drifa.data.audit.examine import audit, audit_and_fix
from drifa.data.audit.findings import Audit, Finding
from drifa.data.audit.fix import join_groups
from drifa.data.audit.pairs import Pair, near_duplicates

__all__ = ["Audit", "Finding", "Pair", "audit", "audit_and_fix", "join_groups", "near_duplicates"]
