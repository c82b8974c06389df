"""A company's own module of Tryton: the fields that its sales process asks for.

It also lets signing in take no time, as each test signs in; nothing here is to be kept from anybody.
"""

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from trytond.res import user

user.PASSWORD_HASH = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)])
