"""Evidence to plan, and a plan carried out so that no environment ever breaks."""
