"""A configuration together with the sockets that fit it: the unit that workers serve, and that a reload replaces."""

import os
from dataclasses import dataclass
from typing import Literal

from wsgateway.run.adjustments import Adjustments
from wsgateway.run.listening import Listening
from wsgateway.run.messages import Configure
from wsgateway.run.process import Order
from wsgateway.run.settings_transfer import VERSION
from wsgateway.settings.certificates import Known
from wsgateway.settings.load import Source
from wsgateway.settings.whole import Settings

_NOTHING = Adjustments()


@dataclass(frozen=True)
class LoadedConfiguration:
    """A configuration that was read, and the results."""

    source: Source
    settings: Settings
    certificates: tuple[Known, ...] = ()
    """those in the settings, as their files were then"""
    packed: bytes = b""
    """the settings, for workers that run the same code; empty: they read the text again"""
    whole: Source | None = None
    """the source without `include`, for workers that run other code; None: it has none"""


@dataclass(frozen=True)
class Generation:
    """A configuration with its sockets: the unit that workers serve, and that a reload replaces."""

    made: LoadedConfiguration
    listening: Listening

    @property
    def settings(self) -> Settings:
        """The settings of the configuration."""
        return self.made.settings

    @property
    def workers(self) -> int:
        """The number of workers."""
        return self.settings.workers or len(os.sched_getaffinity(0))

    def order(self, do: Literal["serve", "reload"], adjustments: Adjustments = _NOTHING, process: int = 0) -> Order:
        """Return the order to serve it, with the sockets and the packed settings.

        `process` is the number of a process that begins.
        """
        told, sockets = self.listening.description(self.settings)
        drained, levels = adjustments.within(self.settings).said()
        return Order(
            Configure(
                do=do,
                file=self.made.source.file,
                text=(self.made.whole or self.made.source).text,
                directory=self.made.source.directory,
                version=VERSION,
                workers=self.workers,
                sockets=told,
                process=process,
                drained=drained,
                levels=levels,
            ),
            tuple(sockets),
            self.made.packed,
        )
