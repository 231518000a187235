"""Localise the vertebrae of one scan by the configured method."""

from __future__ import annotations

from pathlib import Path

from spongiosa.config.localise import LocaliseSettings
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume


def localise_scan(
    volume: Volume,
    settings: LocaliseSettings,
    labels: Path | None = None,
    body_labels: Path | None = None,
    label_scheme: str | None = None,
) -> LocalisedSpine:
    """Vertebrae, bodies and levels of a CT in HU; a label map given for the scan is used whatever the method.

    The embedded localiser gives its second opinion on every vertebra that it did not find itself.

    Raises `Excluded` with the reason for which the scan cannot be localised.
    """
    if labels is not None:
        from spongiosa.localise.imported import import_labels
        from spongiosa.localise.second_opinion import second_opinion, with_second_opinion

        spine = import_labels(volume, labels, body_labels, label_scheme)
        return with_second_opinion(volume, spine, second_opinion(volume))
    if settings.method == "labels":
        raise Excluded(
            Reason.INPUT_MISSING,
            "`localise.method` is `labels`, but the manifest names no label map for this scan.",
        )
    if settings.method == "totalsegmentator":
        from spongiosa.localise.second_opinion import second_opinion, with_second_opinion
        from spongiosa.localise.totalsegmentator import localise_with_totalsegmentator

        return with_second_opinion(volume, localise_with_totalsegmentator(volume), second_opinion(volume))
    from spongiosa.localise.embedded import localise_embedded

    return localise_embedded(volume)
