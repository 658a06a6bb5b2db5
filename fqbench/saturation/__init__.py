"""8-bit products on x86 CPUs without VNNI: two are added in 16 bits, which is too few for some.

A uint8 activation times an int8 weight is as much as 255 * 127 = 32385; the instruction that adds
two such products (``pmaddubsw``) writes 32767 where the sum is larger.
"""
