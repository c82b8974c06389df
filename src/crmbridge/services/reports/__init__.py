"""What is counted, shown and sent: figures, reports, and who was told of them."""
