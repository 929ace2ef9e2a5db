"""The system under test: any command, as N instances; started, watched, killed."""

from eoscheck.subject.instance import State
from eoscheck.subject.role import Role, one_app
from eoscheck.subject.spec import RoleSpec, SubjectSpec
from eoscheck.subject.subject import Subject, SubjectExited

__all__ = ["Role", "RoleSpec", "State", "Subject", "SubjectExited", "SubjectSpec", "one_app"]
