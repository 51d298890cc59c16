"""The audit of a study: one pass over its files, then every check."""

from __future__ import annotations

from collections.abc import Sequence

from drifa.data.audit.codes import code_findings
from drifa.data.audit.duplicates import duplicate_findings, exact_clusters, joined_clusters
from drifa.data.audit.findings import Audit, Finding
from drifa.data.audit.fix import join_groups
from drifa.data.audit.lookalikes import lookalike_findings
from drifa.data.audit.masks import mask_findings
from drifa.data.audit.outliers import blank_findings, kind_findings
from drifa.data.audit.pairs import Pair, study_pairs
from drifa.data.audit.reading import Facts, read_study
from drifa.data.audit.shortcuts import shortcut_findings
from drifa.data.audit.statistics import count_findings, file_findings, grid_findings, image_count, image_findings
from drifa.data.study.study import Study
from drifa.progress import Progress


def audit(study: Study, progress: Progress | None = None) -> Audit:
    """Looks for leakage and defects; changes nothing.

    Args:
        study: Any study, split or not.
        progress: Called as ``progress(done, total, what)``.

    Returns:
        The findings. A file that cannot be read is one of them, never an exception.

    Examples:
        >>> from drifa.data import make_phantom
        >>> study = make_phantom("phantom", subjects=12, image_size=32)
        >>> study.image_path(0).unlink()
        >>> result = audit(study)
        >>> result.ok, [(one.rule, one.files) for one in result.findings if one.severity == "error"]
        (False, [('unreadable', ('images/photo/S00000.png',))])
    """
    facts = read_study(study, progress)
    masks = mask_findings(study, facts, progress)
    return examine(study, facts, study_pairs(study, facts.thumbnails, facts.digests, progress), masks)


def audit_and_fix(study: Study, progress: Progress | None = None) -> tuple[Audit, Study, int]:
    """Audits a study, joins the groups of images that show the same, and audits the result; files are read once.

    Returns:
        ``(audit, study, joined)``: both of the study with joined groups; see :func:`drifa.data.audit.fix.join_groups`.
    """
    facts = read_study(study, progress)
    masks = mask_findings(study, facts, progress)
    pairs = study_pairs(study, facts.thumbnails, facts.digests, progress)
    fixed, joined = join_groups(study, joined_clusters(exact_clusters(facts), pairs, len(study.table)))
    return examine(fixed, facts, pairs, masks), fixed, joined


def examine(study: Study, facts: Facts, pairs: Sequence[Pair], masks: Sequence[Finding] = ()) -> Audit:
    """Every check, on what was read and compared already.

    Args:
        study: The audited study.
        facts: From one pass over its images.
        pairs: Images that show the same.
        masks: From :func:`drifa.data.audit.masks.mask_findings`.
    """
    exact = exact_clusters(facts)
    clusters = joined_clusters(exact, pairs, len(study.table))
    findings = [
        *file_findings(study, facts),
        *grid_findings(study, facts),
        *masks,
        *duplicate_findings(study, exact, pairs, clusters),
        *lookalike_findings(study),
        *code_findings(study),
        *count_findings(study),
        *blank_findings(study, facts),
        *kind_findings(study, facts),
        *shortcut_findings(study, facts, clusters),
        *image_findings(study, facts),
    ]
    return Audit(study.name, image_count(study), tuple(findings), tuple(tuple(members) for members in clusters))
