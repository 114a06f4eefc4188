"""What moves between the two sides of a session: translation and the rules of closing are pure, `engine` moves the bytes."""
