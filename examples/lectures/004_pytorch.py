"""Lecture 004 in PyTorch: the listing as printed with its faults, then corrected."""

import warnings

import baregrad as torch
import baregrad.nn as nn
import baregrad.nn.functional as F
from baregrad.autograd import Variable
from baregrad.utils.data import DataLoader

torch.manual_seed(0)
train_loader = DataLoader(torch.data.mnist().train, batch_size=64, shuffle=True)
epochs, log_interval = 1, 200
warnings.simplefilter("once")  # F.log_softmax without dim says which it takes


class MyNetwork(nn.Module):
    def __init__(self):
        super(MyNetwork, self).__init__()
        self.fc1 = nn.Linear(28 * 28, 500)
        self.fc2 = nn.Linear(500, 500)
        self.fc3 = nn.Linear(500, 10)

    def forward(self, x):
        x = F.sigmoid(self.fc1(x))
        x = F.sigmoid(self.fc2(x))
        x = self.fc3(x)
        return F.log_softmax(x)


net = MyNetwork()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
criterion = nn.MSELoss()


def train(value_of):
    for epoch in range(epochs):
        for batch_idx, (data, target) in enumerate(train_loader):
            data, target = Variable(data), Variable(target)
            # resize data from (batch_size, 1, 28, 28) to (batch_size, 28*28)
            data = data.view(-1, 28 * 28)
            optimizer.zero_grad()
            net_out = net(data)
            loss = criterion(net_out, target)
            loss.backward()
            optimizer.step()
            if batch_idx % log_interval == 0:
                print(
                    "Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.6f}".format(
                        epoch,
                        batch_idx * len(data),
                        len(train_loader.dataset),
                        100.0 * batch_idx / len(train_loader),
                        value_of(loss),
                    )
                )


# As printed: the squared error of ten log-probabilities against one class number.
try:
    train(lambda loss: loss.data[0])
except (TypeError, ValueError) as error:
    print("as printed:", error)

# With the loss that log_softmax is made for, the next fault shows: loss.data[0].
criterion = nn.NLLLoss()
try:
    train(lambda loss: loss.data[0])
except IndexError as error:
    print("and then:", error)

# Corrected.
train(lambda loss: loss.item())
