"""What proving a big library again takes: choosing, listing, hashing, writing lists."""
