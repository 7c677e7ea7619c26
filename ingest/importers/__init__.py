"""One module per foreign format; each turns a file into events of the contract."""
