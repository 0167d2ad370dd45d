"""beartype as the import hook uses it: an int is welcome where a float is wanted, as everywhere in Python."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
