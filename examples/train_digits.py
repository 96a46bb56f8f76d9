"""Train a small network on handwritten digits: python examples/train_digits.py [cpu|sim]."""

import sys

import baregrad as bg
from baregrad import nn
from baregrad.utils.data import DataLoader

device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
bg.manual_seed(0)
digits = bg.data.digits()
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
criterion = nn.CrossEntropyLoss()
optimizer = bg.optim.Adam(model.parameters(), lr=1e-2)

for epoch in range(5):
    for images, labels in DataLoader(digits.train, batch_size=32, shuffle=True):
        loss = criterion(model(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = bg.train.evaluate(model, DataLoader(digits.test, 128)).accuracy
    print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.3f}, accuracy {accuracy:.1%}")
