"""The system under test: any command, as N instances; started, watched, killed."""

from eoscheck.subject.instance import State
from eoscheck.subject.spec import SubjectSpec
from eoscheck.subject.subject import Subject, SubjectExited

__all__ = ["State", "Subject", "SubjectExited", "SubjectSpec"]
