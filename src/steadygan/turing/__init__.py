"""The visual Turing test: its questions, the folder it lies in, and what the answers prove. No torch."""
