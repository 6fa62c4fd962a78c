"""What the programs of tests/peers share. Standard library only."""
