"""What a study is: its declarations, its checked table, its subjects as arrays, and several studies as one."""
