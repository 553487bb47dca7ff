"""How much it takes to know a whole library, and to learn later what is new in it."""
