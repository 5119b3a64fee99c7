"""Care: what a run does by itself when it fails, or is long past its best, decided from its records alone."""

from typing import Annotated

from pydantic import Field

from steadygan.care.acts import Act, Changes, Continue, Moment, RollBack, Stop
from steadygan.care.keep import Keep, Policy, Watch
from steadygan.care.treat import Treat

AnyCare = Annotated[Watch | Keep | Treat, Field(discriminator="kind")]

__all__ = ["Act", "AnyCare", "Changes", "Continue", "Keep", "Moment", "Policy", "RollBack", "Stop", "Treat", "Watch"]
